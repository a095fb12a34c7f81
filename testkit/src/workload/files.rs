//! Files by GridFS, as the driver writes and deletes them.

use super::world::World;
use bson::doc;
use mongodb::error::Result;
use mongodb::sync::Database;
use std::io::Write as _;
use tidemark_base::{Entropy, SeededEntropy};

/// Longer than two chunks.
const MAX_FILE_BYTES: u32 = 300 << 10;

impl World {
    /// Most come, some go.
    pub(super) fn file(&mut self) -> Result<()> {
        let database = self.database();
        let bucket = database.gridfs_bucket(None);
        if self.dice.one_in(3) {
            let found = bucket.find_one(doc! {"filename": format!("f{}", self.dice.below(20))}).run()?;
            return found.map_or(Ok(()), |file| bucket.delete(file.id).run());
        }
        let length = usize::try_from(self.dice.below(MAX_FILE_BYTES)).unwrap();
        let name = format!("f{}", self.dice.below(20));
        self.upload(&database, name, length)
    }

    pub(super) fn upload(&mut self, database: &Database, name: String, length: usize) -> Result<()> {
        let mut bytes = vec![0; length];
        SeededEntropy::new(u64::try_from(self.dice.below(1 << 20)).unwrap()).fill(&mut bytes);
        let mut stream = database.gridfs_bucket(None).open_upload_stream(name).run()?;
        stream.write_all(&bytes)?;
        stream.close()?;
        Ok(())
    }
}
