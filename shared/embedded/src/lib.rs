//! Every port on SQLite: the only place with SQL
