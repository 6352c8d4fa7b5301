"""Where the traffic goes: Front Door, Traffic Manager, the edge and DNS, and the application gateway of a region."""
