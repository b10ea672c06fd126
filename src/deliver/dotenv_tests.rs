//! Dotenv files.
