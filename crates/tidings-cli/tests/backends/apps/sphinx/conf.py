project = "Book"
html_theme = "alabaster"
