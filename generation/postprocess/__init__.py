"""What happens to a picture after its model: finish, colour, sharpening."""
