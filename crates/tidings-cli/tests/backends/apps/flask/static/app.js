window.version = 1
