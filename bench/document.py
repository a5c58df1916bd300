"""docs/PERFORMANCE.md."""
def write(path, result):
    pass
