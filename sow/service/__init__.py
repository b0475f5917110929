"""From a request to pictures with their recipes: what every front shares. It prints nothing.

The command line is one front; a batch runner, a benchmark or a page are others. What a person
should be told comes by a callback, and what they did wrong as a `SowError` that speaks of
arguments (`planner_model=`), which a front may call by its own names.
"""
