"""Scene graphs: what users, sentences and models say of who is where, laid out without a model.

A graph is read and named (`reading`, `sentences`), checked (`graph`), laid out (`layout`) and
becomes a plan whose objects have boxes (`planner`). networkx and kiwisolver are only waited for
where there is a graph.
"""
