"""Scene graphs from files, triples, sentences or models, laid out by rules without a model.

`build` collects objects and relations (`sentence_parser` reads them from a prompt), `scene_graph`
checks them, `layout` finds boxes (`constraints`, `solver`, `search`), and `planner` makes the plan.
`detection` goes the other way, from a picture to boxes and relations. networkx and kiwisolver are
imported only where there is a graph.
"""
