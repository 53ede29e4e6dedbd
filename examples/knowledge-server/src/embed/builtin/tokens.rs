//! A text as stems.

use rust_stemmers::{Algorithm, Stemmer};

/// No stem has more letters: what is longer is no word, but a key or a picture in base64.
const LONGEST: usize = 40;

/// Words that stand in every text and say nothing.
const STOP: &str = "a about above after again against all along already also although always am among an and \
    another any anyone are around as aside at away back be became because become been before being below between \
    both but by came can could did do does doing done during each either else even ever every everybody everyone \
    few for from further gave get gets give given gives go goes going gone got had has have having he hence her \
    here him his how however i if in instead into is it its itself just keep keeps kept let lets like made make \
    makes making many may me might mine more most much must my nearly need needs neither never no nobody nor not \
    nothing now of off often on once one only onto or other others our out over own per put puts quite rather \
    really same say says see seem seen shall she should show shows since so some somebody something somewhat still \
    such take taken takes than that the their them themselves then there therefore these they thing things this \
    those though through thus to together too took toward towards under unless until up upon us use used uses \
    using very via want wants was way ways we well went were what whatever when where whereas whether which while \
    who whoever whole whom whose why will with within without would yet you your";

/// Cuts texts into stems, which are what inflections of a word share.
pub(super) struct Tokens {
    stemmer: Stemmer,
    /// Sorted.
    stop: Vec<&'static str>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        let mut stop: Vec<_> = STOP.split_whitespace().collect();
        stop.sort_unstable();
        Self {
            stemmer: Stemmer::create(Algorithm::English),
            stop,
        }
    }

    /// The stems of `text`, in their order, without words that say nothing.
    pub(super) fn stems(&self, text: &str) -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
            .map(|word| word.split(['\'', '’']).next().unwrap_or_default())
            .filter(|word| !word.is_empty() && word.len() <= LONGEST)
            .map(str::to_lowercase)
            .filter(|word| self.stop.binary_search(&word.as_str()).is_err())
            .map(|word| self.stemmer.stem(&word).into_owned())
            .collect()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
