//! Compiles the wire and checks the fact tables: a bad row fails the build with its line.

#[path = "build/claims.rs"]
mod claims;
#[path = "build/endpoints.rs"]
mod endpoints;
#[path = "build/release_keys.rs"]
mod release_keys;
#[path = "build/rows.rs"]
mod rows;
#[path = "src/endpoint/rules.rs"]
#[allow(unreachable_pub, reason = "a module of the library, compiled here too")]
mod rules;
#[path = "build/vendors.rs"]
mod vendors;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);

    println!("cargo::rerun-if-changed=phonehome");
    let files = protox::compile(
        [
            "phonehome/v1/batch.proto",
            "phonehome/v1/endpoints.proto",
            "phonehome/v1/intake.proto",
            "phonehome/v1/observatory.proto",
        ],
        ["."],
    )?;
    fs::write(
        out.join("phonehome.v1.bin"),
        prost::Message::encode_to_vec(&files),
    )?;
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .compile_fds(files)?;

    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/endpoint/rules.rs");
    let vendors = vendors::read(&fs::read_to_string("data/vendors.toml")?)?;
    fs::write(out.join("vendors.rs"), vendors::render(&vendors))?;
    let list = endpoints::read(&fs::read_to_string("data/endpoints.toml")?, &vendors)?;
    fs::write(out.join("endpoints.rs"), endpoints::render(&list, &vendors))?;
    let keys = release_keys::read(&fs::read_to_string("data/release-keys.toml")?)?;
    fs::write(out.join("release_keys.rs"), release_keys::render(&keys))?;
    Ok(())
}
