//! Where in an HTML document a script can be put without changing the rest of it.
