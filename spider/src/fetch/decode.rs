//! Content-Encoding undone, with a limit on what comes out.

use std::io::{self, Read};

use super::error::{Class, Failure};

/// What is asked for.
pub const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// Most encodings on one body; more is an attack.
const MAX_LAYERS: usize = 4;
/// Largest window of a zstd frame that HTTP allows (RFC 9659): 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A decoded body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// At most the limit.
    pub body: Vec<u8>,
    /// There was more.
    pub cut: bool,
}

/// Encodings of a body as its header says, the last one applied first; empty when there are none.
pub fn layers(content_encoding: &str) -> Result<Vec<Coding>, Failure> {
    let mut layers = Vec::new();
    for name in content_encoding.split(',').map(str::trim).filter(|n| !n.is_empty()).rev() {
        match name.to_ascii_lowercase().as_str() {
            "identity" => continue,
            "gzip" | "x-gzip" => layers.push(Coding::Gzip),
            "deflate" => layers.push(Coding::Deflate),
            "br" => layers.push(Coding::Brotli),
            "zstd" => layers.push(Coding::Zstd),
            other => {
                let other: String = other.chars().take(32).collect();
                return Err(Failure::lasting(Class::Decode, format!("unknown content encoding `{other}`")));
            }
        }
    }
    match layers.len() > MAX_LAYERS {
        true => Err(Failure::lasting(Class::Decode, "too many content encodings")),
        false => Ok(layers),
    }
}

/// A content encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// gzip, several members too.
    Gzip,
    /// zlib, or raw deflate as some servers send it.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
}

/// Undoes `layers`, gives at most `limit` bytes and stops there: a bomb costs no more than that. `whole` says that the
/// encoded body was read to its end; what was cut may end anywhere.
pub fn decode(encoded: &[u8], layers: &[Coding], limit: usize, whole: bool) -> Result<Decoded, Failure> {
    let mut reader: Box<dyn Read + '_> = Box::new(encoded);
    if encoded.is_empty() {
        return Ok(Decoded::default());
    }
    for layer in layers {
        reader = undo(*layer, reader).map_err(|e| Failure::lasting(Class::Decode, e.to_string()))?;
    }
    let mut body = Vec::with_capacity(limit.min(encoded.len().saturating_mul(4)));
    let result = reader.take(limit as u64 + 1).read_to_end(&mut body);
    let cut = body.len() > limit;
    body.truncate(limit);
    match result {
        Err(e) if whole || body.is_empty() => Err(Failure::lasting(Class::Decode, e.to_string())),
        Err(_) => Ok(Decoded { body, cut: true }),
        Ok(_) => Ok(Decoded { body, cut: cut || !whole }),
    }
}

fn undo<'r>(coding: Coding, mut reader: Box<dyn Read + 'r>) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match coding {
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Coding::Brotli => Box::new(brotli::Decompressor::new(reader, 16 * 1024)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Coding::Deflate => {
            // zlib begins with method 8 and a header checksum (RFC 1950); anything else is raw
            let mut head = [0; 2];
            let mut got = 0;
            while got < 2 {
                match reader.read(&mut head[got..])? {
                    0 => break,
                    n => got += n,
                }
            }
            let zlib = got == 2 && head[0] & 0x0f == 8 && u16::from_be_bytes(head) % 31 == 0;
            let rest = io::Cursor::new(head[..got].to_vec()).chain(reader);
            match zlib {
                true => Box::new(flate2::read::ZlibDecoder::new(rest)),
                false => Box::new(flate2::read::DeflateDecoder::new(rest)),
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        w.write_all(data).unwrap();
        w.finish().unwrap()
    }

    fn encode(coding: Coding, data: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => gzip(data),
            Coding::Deflate => {
                let mut w = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                w.write_all(data).unwrap();
                w.finish().unwrap()
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(data).unwrap();
                out
            }
            Coding::Zstd => zstd::encode_all(data, 3).unwrap(),
        }
    }

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    #[test]
    fn every_coding_comes_back() {
        let data = b"some text, some more text ".repeat(1000);
        for coding in ALL {
            let decoded = decode(&encode(coding, &data), &[coding], 1 << 20, true).unwrap();
            assert_eq!(decoded, Decoded { body: data.clone(), cut: false }, "{coding:?}");
        }
        let both = encode(Coding::Brotli, &gzip(&data));
        assert_eq!(decode(&both, &layers("gzip, br").unwrap(), 1 << 20, true).unwrap().body, data);
        let raw = {
            let mut w = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            w.write_all(&data).unwrap();
            w.finish().unwrap()
        };
        assert_eq!(decode(&raw, &[Coding::Deflate], 1 << 20, true).unwrap().body, data);
    }

    #[test]
    fn a_bomb_gives_the_limit_and_no_more() {
        let zeros = vec![0; 20 << 20];
        for coding in ALL {
            let decoded = decode(&encode(coding, &zeros), &[coding], 1000, true).unwrap();
            assert_eq!((decoded.body.len(), decoded.cut), (1000, true), "{coding:?}");
        }
    }

    #[test]
    fn what_does_not_decode_is_a_failure_and_what_was_cut_is_kept() {
        for coding in ALL {
            let failure = decode(b"this is plain text, whatever the header says", &[coding], 1000, true).unwrap_err();
            assert_eq!(failure.class, Class::Decode, "{coding:?}");
        }
        let data = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>();
        let encoded = gzip(&data);
        let part = decode(&encoded[..encoded.len() / 2], &[Coding::Gzip], 1 << 20, false).unwrap();
        assert!(part.cut && !part.body.is_empty() && data.starts_with(&part.body));
        assert!(decode(&encoded[..encoded.len() / 2], &[Coding::Gzip], 1 << 20, true).is_err());
        assert_eq!(decode(b"", &[Coding::Gzip], 1000, true).unwrap(), Decoded::default());
    }

    #[test]
    fn unknown_and_endless_encodings_are_refused() {
        assert!(layers("snappy").is_err());
        assert!(layers("gzip,gzip,gzip,gzip,gzip").is_err());
        assert_eq!(layers("identity, X-GZIP").unwrap(), [Coding::Gzip]);
        assert!(layers("").unwrap().is_empty());
    }
}
