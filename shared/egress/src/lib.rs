//! Every outgoing byte of a tenant: HTTP, address guard, proxies, timeouts, size caps
