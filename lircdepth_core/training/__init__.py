"""Training on Lightning: modules, callbacks, and the `lircdepth train` command line."""
