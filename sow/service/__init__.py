"""From a request to pictures with their recipes, for every front end. It prints nothing.

The command line is one front end; batches and benchmarks are others. Messages for the user go to a
callback, and mistakes raise a `SowError` that names arguments (`planner_model=`), which a front end
may replace with its own option names.
"""
