"""What is shipped, and the lab that it is tested on."""
