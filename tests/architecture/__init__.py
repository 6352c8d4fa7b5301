"""What must hold for the code as a whole: its names, its layers, the commands that it gives to Temporal."""
