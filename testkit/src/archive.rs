//! Reading the packed test data: `testkit/data/*.tar.zst`.
//!
//! An archive is one or more zstd frames whose contents, concatenated, are one tar. No file spans two frames,
//! so a part (one capture) can be unpacked without the others. Used by the loaders of captures, corpus and
//! dump samples; `examples/pack_data.rs` writes the archives. Everything happens in memory and is bounded;
//! unpacked bytes are kept until the process ends, so that all that is loaded can borrow from them.

#![warn(clippy::indexing_slicing)]

use crate::data_error::DataError;
use std::collections::BTreeMap;
use std::io::Read;

/// Largest content of one frame; the largest capture has 110 MB.
const MAX_FRAME_BYTES: u64 = 256 << 20;

/// Files by their path inside the archive.
pub(crate) type Files = BTreeMap<String, &'static [u8]>;

/// One independently compressed part of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    archive: &'static str,
    compressed: &'static [u8],
}

/// Finds the frames of an archive without unpacking them.
///
/// # Errors
/// [`DataError::Archive`] if the bytes are not zstd frames.
pub(crate) fn frames(archive: &'static str, mut bytes: &'static [u8]) -> Result<Vec<Frame>, DataError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let len = zstd::zstd_safe::find_frame_compressed_size(bytes)
            .map_err(|code| damaged(archive, zstd::zstd_safe::get_error_name(code)))?;
        let (compressed, rest) =
            bytes.split_at_checked(len).ok_or_else(|| damaged(archive, "the last frame is cut short"))?;
        frames.push(Frame { archive, compressed });
        bytes = rest;
    }
    Ok(frames)
}

impl Frame {
    /// The first folder (or file) name in this frame; unpacks only its beginning.
    ///
    /// # Errors
    /// [`DataError::Archive`] if the frame does not start with a file.
    pub(crate) fn top_name(&self) -> Result<String, DataError> {
        let decoder = zstd::Decoder::with_buffer(self.compressed).map_err(|e| self.damaged(e))?;
        let mut tar = tar::Archive::new(decoder);
        let entry = tar.entries().map_err(|e| self.damaged(e))?.next();
        let entry =
            entry.ok_or_else(|| self.damaged("a frame without files"))?.map_err(|e| self.damaged(e))?;
        let path = self.utf8(entry.path_bytes().into_owned())?;
        Ok(path.split('/').next().unwrap_or_default().to_owned())
    }

    /// Unpacks the frame. The bytes live until the process ends: call it once per frame.
    ///
    /// # Errors
    /// [`DataError::Archive`] if the frame is damaged or larger than any of ours.
    pub(crate) fn unpack(&self) -> Result<Files, DataError> {
        let mut plain = Vec::new();
        zstd::Decoder::with_buffer(self.compressed)
            .and_then(|decoder| decoder.take(MAX_FRAME_BYTES + 1).read_to_end(&mut plain))
            .map_err(|e| self.damaged(e))?;
        if plain.len() as u64 > MAX_FRAME_BYTES {
            return Err(self.damaged(format!("a frame unpacks to more than {MAX_FRAME_BYTES} bytes")));
        }
        let plain: &'static [u8] = plain.leak();
        let mut files = Files::new();
        for entry in tar::Archive::new(plain).entries().map_err(|e| self.damaged(e))? {
            let entry = entry.map_err(|e| self.damaged(e))?;
            let path = self.utf8(entry.path_bytes().into_owned())?;
            let start = usize::try_from(entry.raw_file_position()).map_err(|e| self.damaged(e))?;
            let len = usize::try_from(entry.size()).map_err(|e| self.damaged(e))?;
            let content = plain.get(start..).and_then(|rest| rest.get(..len));
            let content = content.ok_or_else(|| self.damaged(format!("{path} is cut short")))?;
            files.insert(path, content);
        }
        Ok(files)
    }

    fn utf8(&self, path: Vec<u8>) -> Result<String, DataError> {
        String::from_utf8(path).map_err(|e| self.damaged(e))
    }

    fn damaged(&self, problem: impl ToString) -> DataError {
        damaged(self.archive, problem)
    }
}

fn damaged(archive: &'static str, problem: impl ToString) -> DataError {
    DataError::Archive { archive, problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_archive_are_refused_by_name() {
        let error = frames("x.tar.zst", b"not a frame at all").expect_err("not zstd");
        assert!(error.to_string().starts_with("testkit/data/x.tar.zst: "), "{error}");
    }

    #[test]
    fn a_frame_that_is_no_tar_is_refused() {
        let bytes: &'static [u8] = zstd::bulk::compress(&[7; 2000], 1).unwrap().leak();
        let frames = frames("x.tar.zst", bytes).unwrap();
        assert_eq!(frames.len(), 1);
        assert!(frames[0].unpack().is_err());
        assert!(frames[0].top_name().is_err());
    }
}
