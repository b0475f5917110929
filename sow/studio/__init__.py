"""`sow studio`: a web page where a picture is planted by hand, on Gradio.

`launch` starts it; `app` lays out the page and wires its events; `studio` does what they ask of the
service; `session` keeps what one browser works on, in memory only; `line` is the queue; `page/` has
the HTML, CSS and JavaScript of our own components, which `components` loads.
"""
