"""What changes a valid input. Every function takes a random.Random first, so that a seed gives the same input again."""
