"""What is measured on a GPU, with random weights of real shapes; speed does not depend on them."""
