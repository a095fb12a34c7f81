//! Parts of another run, taken over by reference: their blocks are not read, and not put again.
//!
//! Only where the run comes out as if all items had been pushed. Who calls sees to what this cannot see: that the
//! part has the separator it would have here, because the items right before it are those before it there; and
//! that what follows it is again what follows it there, so that it ends here where it ended there.

use super::RunWriter;
use crate::run::error::Result;
use crate::run::index::Child;

impl RunWriter<'_> {
    /// Adds all that lies below `child`, which stands in a node of this level, from 0 for leaves. `high` separates
    /// it from what comes next. Whether it could: a leaf, and the nodes below that level, must have just ended.
    ///
    /// # Errors
    /// Failures of the store.
    pub(in crate::run) fn try_link(&mut self, level: u8, child: &Child, high: &[u8]) -> Result<bool> {
        if self.leaf.amount.items > 0 {
            return Ok(false);
        }
        self.put_all()?;
        if !self.levels.try_link(level.into(), child.clone(), &mut self.batch)? {
            return Ok(false);
        }
        self.count(child.amount);
        self.linked = Some(high.to_vec());
        Ok(true)
    }
}
