"""HAProxy as the lab's edge and gateway: real processes, real servers behind them, real customers in front."""
