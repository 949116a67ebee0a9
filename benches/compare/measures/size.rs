//! i: the bytes of the program, as it is installed.

use std::fs;

use super::{Figure, Found, Place, Trouble, less};
use crate::systems::System;

const BYTES: Figure = less('i', "size of the program's files", "KiB");
pub const FIGURES: [Figure; 1] = [BYTES];

pub fn size(system: &dyn System, _: &Place) -> Result<Found, Trouble> {
    let Some(files) = system.files() else {
        return Err(Trouble::NotApplicable("no program of its own".to_owned()));
    };
    let mut bytes = 0;
    for file in files {
        bytes += fs::metadata(file)?.len();
    }
    let mut found = Found::default();
    found.put(&BYTES, bytes as f64 / 1024.0);
    Ok(found)
}
