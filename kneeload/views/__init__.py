"""What we show: pictures, curves, files for ParaView, a report and a table in the terminal.

Every drawing library (pyvista, matplotlib, jinja2, rich) is imported inside the function that needs it.
"""
