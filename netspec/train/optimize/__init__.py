"""What training minimises, and what measures it: losses, class weights, metrics."""
