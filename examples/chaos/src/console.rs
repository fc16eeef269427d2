//! The console of `--console`: a child of the tree that it shows, with the feature `console`.

use perennial::Supervisor;

use super::hasher::Hashers;
use super::options::Options;

/// The console, if there is one.
pub struct DemoConsole {
    #[cfg(feature = "console")]
    url: Option<perennial::console::ConsoleUrl>,
}

#[cfg(feature = "console")]
impl DemoConsole {
    /// Adds the console to a tree, if it is asked for.
    pub fn add(tree: Supervisor, options: &Options, pool: &Hashers) -> (Supervisor, Self) {
        let Some(address) = &options.console else { return (tree, Self { url: None }) };
        let console = perennial::console::Console::at(address).pool(pool);
        let url = Some(console.url());
        (tree.child(console), Self { url })
    }

    /// Prints where it is.
    pub fn announce(&self) {
        if let Some(url) = self.url.as_ref().and_then(perennial::console::ConsoleUrl::get) {
            print_line!("chaos: the console is at {url}");
        }
    }
}

/// The options refuse `--console` without the feature.
#[cfg(not(feature = "console"))]
impl DemoConsole {
    pub fn add(tree: Supervisor, _: &Options, _: &Hashers) -> (Supervisor, Self) {
        (tree, Self {})
    }

    #[expect(clippy::unused_self, reason = "it has the form of the other")]
    pub fn announce(&self) {}
}
