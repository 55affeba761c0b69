//! Registrable domains, by the public suffix list.

/// Registrable domain of a host (port dropped): `docs.example.co.uk:8080` → `example.co.uk`. An address, a name with no
/// dot or a public suffix is its own site.
pub fn registrable(_host: &str) -> &str {
    todo!()
}
