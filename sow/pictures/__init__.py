"""Pictures: loading, mattes, the visual condition, recipes, drawing."""
