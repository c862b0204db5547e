//! Owns sieves: what a sorted run surely has nothing of, told from some bits per term instead of by
//! reading a chunk. Pure.
//!
//! A split block Bloom filter: a term sets one bit in each of the eight words of one block of 256
//! bits, so that asking touches one line of the cache. (F. Putze, P. Sanders, J. Singler, "Cache-,
//! hash- and space-efficient Bloom filters", 2007; in the form that Apache Parquet specifies.)
//! With 12 bits per term about one question in 200 is answered with "maybe" for nothing.
//!
//! ```text
//! sieve = n terms: u64, n blocks: u64, (8 words: u32) * n blocks; all little-endian, in pieces
//! ```

use super::wire::Malformed;

/// Bits per term.
const TERM_BITS: u64 = 12;
/// Words of a block.
const N_WORDS: usize = 8;
const HEADER_BYTES: usize = 16;
const BLOCK_BYTES: usize = N_WORDS * 4;
/// Bytes of a piece: what the store holds as one value.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// Odd numbers that spread a hash over the bits of eight words; Parquet's.
const SALT: [u32; N_WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// The terms of a run, or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sieve {
    n_terms: u64,
    blocks: Vec<[u32; N_WORDS]>,
}

impl Sieve {
    /// Room for so many terms.
    pub(crate) fn with_room(n_terms_max: u64) -> Sieve {
        let n_blocks = (n_terms_max * TERM_BITS).div_ceil(8 * BLOCK_BYTES as u64).max(1);
        let n_blocks = usize::try_from(n_blocks).expect("terms that are in memory or in a store");
        Sieve { n_terms: 0, blocks: vec![[0; N_WORDS]; n_blocks] }
    }

    /// How many terms were added.
    pub(crate) const fn n_terms(&self) -> u64 {
        self.n_terms
    }

    /// Adds a term by its hash, once.
    pub(crate) fn add(&mut self, hash: u64) {
        self.n_terms += 1;
        let block = self.block_of(hash);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits(hash)) {
            *word |= bit;
        }
    }

    /// Whether a term may be among those added; false is certain.
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block_of(hash)];
        block.iter().zip(bits(hash)).all(|(word, bit)| word & bit != 0)
    }

    fn block_of(&self, hash: u64) -> usize {
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }

    /// What is written, piece by piece.
    pub(crate) fn pieces(&self) -> Vec<Vec<u8>> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.blocks.len() * BLOCK_BYTES);
        bytes.extend_from_slice(&self.n_terms.to_le_bytes());
        bytes.extend_from_slice(&(self.blocks.len() as u64).to_le_bytes());
        for word in self.blocks.as_flattened() {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.chunks(PIECE_BYTES).map(<[u8]>::to_vec).collect()
    }

    /// How many pieces there are.
    pub(crate) fn n_pieces(&self) -> usize {
        (HEADER_BYTES + self.blocks.len() * BLOCK_BYTES).div_ceil(PIECE_BYTES)
    }

    /// Reads what was written, asking for one piece after the other. None if any is missing.
    pub(crate) fn read<E>(
        mut piece: impl FnMut(usize) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Result<Option<Sieve>, Malformed>, E> {
        let Some(mut bytes) = piece(0)? else { return Ok(Ok(None)) };
        let malformed = |bytes: &[u8]| Malformed {
            expected: "as many blocks of a sieve as it says",
            n_left: bytes.len(),
        };
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(Err(malformed(&bytes)));
        };
        let [n_terms, n_blocks] = [&header[..8], &header[8..]]
            .map(|word| u64::from_le_bytes(word.try_into().expect("half of 16 bytes")));
        // Half a block stands before the blocks, so the last piece is never a whole one.
        for n in 1.. {
            if !bytes.len().is_multiple_of(PIECE_BYTES) {
                break;
            }
            let Some(more) = piece(n)? else { return Ok(Ok(None)) };
            bytes.extend(more);
        }
        let (words, rest) = bytes[HEADER_BYTES..].as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let (blocks, more) = words.as_chunks::<N_WORDS>();
        let is_whole = rest.is_empty() && more.is_empty() && !blocks.is_empty();
        if !is_whole || blocks.len() as u64 != n_blocks {
            return Ok(Err(malformed(rest)));
        }
        Ok(Ok(Some(Sieve { n_terms, blocks: blocks.to_vec() })))
    }
}

/// A bit for each word.
fn bits(hash: u64) -> impl Iterator<Item = u32> {
    SALT.iter().map(move |salt| 1 << ((hash as u32).wrapping_mul(*salt) >> 27))
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn read(pieces: &[Vec<u8>]) -> Result<Option<Sieve>, Malformed> {
        let read = Sieve::read(|n| Ok::<_, std::convert::Infallible>(pieces.get(n).cloned()));
        read.expect("there is nothing that could fail")
    }

    fn of(hashes: impl IntoIterator<Item = u64>, n: u64) -> Sieve {
        let mut sieve = Sieve::with_room(n);
        hashes.into_iter().for_each(|hash| sieve.add(hash));
        sieve
    }

    /// Scatters numbers over all bits.
    fn hash(n: u64) -> u64 {
        let hash = blake3::hash(&n.to_le_bytes());
        u64::from_be_bytes(*hash.as_bytes().first_chunk().expect("32 bytes begin with 8"))
    }

    proptest! {
        #[test]
        fn what_was_added_is_never_denied(hashes: Vec<u64>, room in 0_u64..100) {
            let sieve = of(hashes.iter().copied(), room);
            prop_assert!(hashes.iter().all(|&hash| sieve.may_hold(hash)));
            prop_assert_eq!(read(&sieve.pieces()), Ok(Some(sieve)));
        }

        #[test]
        fn damage_is_an_error_or_a_missing_sieve_and_never_a_panic(pieces: Vec<Vec<u8>>) {
            let _ = read(&pieces);
        }
    }

    #[test]
    fn most_of_what_was_not_added_is_denied() {
        let n = 100_000;
        let sieve = of((0..n).map(hash), n);
        let n_maybe = (n..2 * n).filter(|&n| sieve.may_hold(hash(n))).count();
        assert!((1..1_000).contains(&n_maybe), "{n_maybe} of {n}");
    }

    #[test]
    fn a_sieve_that_lost_a_piece_is_none() {
        let sieve = of((0..100_000).map(hash), 100_000);
        let mut pieces = sieve.pieces();
        assert_eq!((pieces.len(), sieve.n_pieces()), (3, 3));
        assert_eq!(read(&pieces), Ok(Some(sieve)));
        pieces.pop();
        assert_eq!(read(&pieces), Ok(None));
        assert_eq!(read(&[]), Ok(None));
        pieces[0].truncate(10);
        assert!(read(&pieces).is_err());
    }
}
