"""Those that the executor is held against, each as good as it can be."""
