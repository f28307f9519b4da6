"""Episodes for other frameworks' clients: one module a protocol, each imported only where it is used."""
