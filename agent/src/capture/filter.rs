//! The classic BPF program that lets through only what names or times a connection.
