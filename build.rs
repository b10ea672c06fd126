//! Compresses the OpenAPI document, which the server gives out, into the program.

use flate2::{Compression, GzBuilder};
use std::{env, error::Error, fs::File, io, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=openapi.json");
    println!("cargo::rerun-if-changed=build.rs");
    let out = File::create(Path::new(&env::var("OUT_DIR")?).join("openapi.json.gz"))?;
    // No name and no time: the same document is the same bytes.
    let mut compressed = GzBuilder::new().write(out, Compression::best());
    io::copy(&mut File::open("openapi.json")?, &mut compressed)?;
    compressed.finish()?;
    Ok(())
}
