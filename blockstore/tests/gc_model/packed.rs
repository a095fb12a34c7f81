//! A state in 128 bits and back. One list of fields serves both directions.
//!
//! Called by the canonical form. The widths have room for [`MAX_PACKS`] packs and epochs below 16; a value
//! that does not fit is a mistake in the model and panics.

use crate::state::{
    Blocks, Collector, Pack, PackId, PackState, Phase, Plan, Process, Session, State, Writer,
};

/// Packs a state.
pub(crate) fn pack(state: &State) -> u128 {
    let mut bits = Bits { word: 0, used: 0, writes: true };
    bits.state(&mut state.clone());
    bits.word
}

/// Unpacks it.
pub(crate) fn unpack(word: u128) -> State {
    let mut state = State::default();
    Bits { word, used: 0, writes: false }.state(&mut state);
    state
}

/// A place in the word, and the direction.
struct Bits {
    word: u128,
    used: u32,
    writes: bool,
}

impl Bits {
    fn number(&mut self, value: &mut u8, width: u32) {
        assert!(self.used + width <= u128::BITS, "the fields fit the word");
        if self.writes {
            assert!(*value >> width == 0, "the value fits its field");
            self.word |= u128::from(*value) << self.used;
        } else {
            let mask = (1 << width) - 1;
            *value = u8::try_from((self.word >> self.used) & mask).expect("fields are at most 8 wide");
        }
        self.used += width;
    }

    fn choice<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) {
        let mut at = all.iter().position(|one| one == value).expect("the list is complete");
        let mut number = u8::try_from(at).expect("few choices");
        self.number(&mut number, all.len().next_power_of_two().ilog2());
        at = usize::from(number);
        *value = all[at];
    }

    fn state(&mut self, state: &mut State) {
        self.number(&mut state.epoch, 4);
        self.blocks(&mut state.refs);
        state.packs.iter_mut().for_each(|pack| self.pack(pack));
        state.writers.iter_mut().for_each(|writer| self.writer(writer));
        self.session(&mut state.reader);
        self.collector(&mut state.collector);
    }

    fn blocks(&mut self, blocks: &mut Blocks) {
        self.number(blocks, 2);
    }

    fn pack(&mut self, pack: &mut Pack) {
        use PackState::{Condemned, Deleting, Gone, Live, Open, Unused};
        self.choice(&mut pack.state, &[Unused, Open, Live, Condemned, Deleting, Gone]);
        self.number(&mut pack.touched, 4);
        self.blocks(&mut pack.bytes);
        self.blocks(&mut pack.rows);
    }

    fn pack_id(&mut self, id: &mut PackId) {
        self.number(&mut id.0, 3);
    }

    fn session(&mut self, session: &mut Session) {
        self.choice(&mut session.open, &[false, true]);
        self.number(&mut session.epoch, 4);
        self.blocks(&mut session.pins);
    }

    fn writer(&mut self, writer: &mut Writer) {
        self.choice(&mut writer.process, &[Process::Down, Process::Opening, Process::Running]);
        self.session(&mut writer.session);
        self.pack_id(&mut writer.pack);
        self.blocks(&mut writer.appended);
        self.blocks(&mut writer.synced);
        self.blocks(&mut writer.put);
        self.blocks(&mut writer.seen.0);
        self.pack_id(&mut writer.seen.1);
    }

    fn collector(&mut self, collector: &mut Collector) {
        self.choice(&mut collector.phase, &[Phase::Idle, Phase::RootsRead, Phase::Begun, Phase::Marked]);
        self.number(&mut collector.oldest, 4);
        self.blocks(&mut collector.marked);
        for plan in &mut collector.plan {
            self.choice(plan, &[Plan::Keep, Plan::Condemn, Plan::Rewrite, Plan::Delete]);
        }
        self.pack_id(&mut collector.source);
        self.pack_id(&mut collector.target);
        self.pack_id(&mut collector.unsynced);
    }
}
