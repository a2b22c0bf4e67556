//! What must hold of a table between any two calls, whatever was handled: for tests.

use super::FlowTable;

impl FlowTable {
    /// Looks at all that is held, and finds that it agrees with itself and with its bounds.
    ///
    /// # Panics
    ///
    /// When it does not: that is a bug.
    #[doc(hidden)]
    pub fn check(&self) {
        let limits = &self.limits;
        let held = || self.conversations.iter().flatten();
        assert!(self.places.len() <= limits.flows_max as usize);
        assert_eq!(self.places.len(), held().count());
        assert_eq!(
            self.places.len() + self.free.len(),
            self.conversations.len(),
            "each place is taken or free"
        );
        for (key, place) in &self.places {
            let conversation = self.conversations[*place as usize].as_ref();
            assert!(conversation.is_some_and(|conversation| conversation.key() == *key));
        }
        let hello_bytes: usize = held().map(|held| held.hello_bytes()).sum();
        assert_eq!(self.hello_bytes, hello_bytes);
        assert!(hello_bytes <= limits.hello_bytes_max);
        let counted = held().map(|held| held.counted());
        let [packets, kernel_bytes] = counted.fold([0, 0], |sums, counted| {
            [sums[0] + counted.0, sums[1] + counted.1]
        });
        let counts = &self.counts;
        assert_eq!(counts.packets_held, packets);
        assert_eq!(counts.kernel_bytes_held, kernel_bytes);
        assert!(self.answers.len() <= limits.answers_max);
        assert!(self.connections.len() <= limits.connections_max);
    }
}
