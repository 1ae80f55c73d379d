"""Several processes that train one network: strategies, sharding, launching."""
