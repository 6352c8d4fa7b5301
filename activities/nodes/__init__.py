"""Steps of node procedures, and the machines under the nodes."""
