"""The other region: databases on Azure Flexible Servers."""
