//! A network of namespaces: one for each node, and one with the bridge that connects them.

use std::process::{self, Command};

/// How good the network of a node is, in what it sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    /// In milliseconds.
    pub(crate) delay: u32,
    /// In percent.
    pub(crate) loss: u32,
}

/// The namespaces, which are removed with this value.
pub(crate) struct Lan {
    prefix: String,
    size: usize,
    /// Whether the kernel can delay packets.
    has_netem: bool,
}

impl Lan {
    /// Makes a network of so many nodes, or returns why that is not possible here. Each network of
    /// this program has another tag.
    pub(crate) fn new(tag: &str, size: usize) -> Result<Self, String> {
        let mut lan = Self { prefix: format!("pn{}{tag}", process::id()), size, has_netem: false };
        ip(&format!("netns add {}", lan.hub()))?;
        lan.in_hub("ip link add bridge type bridge")?;
        lan.in_hub("ip link set bridge up")?;
        lan.in_hub("nft add table netdev lan")?;
        (0..size).try_for_each(|which| lan.add(which))?;
        lan.has_netem = lan.inside(0, "tc qdisc add dev lo root netem delay 1ms").is_ok();
        Ok(lan)
    }

    /// Makes the namespace of a node, and connects it.
    fn add(&self, which: usize) -> Result<(), String> {
        let (hub, own, port) = (self.hub(), self.namespace(which), port(which));
        ip(&format!("netns add {own}"))?;
        ip(&format!("link add {port} netns {hub} type veth peer name eth0 netns {own}"))?;
        self.in_hub(&format!("ip link set {port} master bridge up"))?;
        self.in_hub(&format!(
            "nft add chain netdev lan {port} {{ type filter hook ingress device {port} priority 0 ; }}"
        ))?;
        self.inside(which, &format!("ip address add {}/24 dev eth0", address(which)))?;
        self.inside(which, "ip link set eth0 up")?;
        self.inside(which, "ip link set lo up")
    }

    /// Replaces the machine of a node, which has lost all that it knew of its connections, by one
    /// with the same address.
    pub(crate) fn replace(&self, which: usize) {
        ip(&format!("netns delete {}", self.namespace(which))).expect("the machine is there");
        let port = port(which);
        // Where they do not go with the namespace.
        drop(self.in_hub(&format!("ip link delete {port}")));
        drop(self.in_hub(&format!("nft delete chain netdev lan {port}")));
        self.add(which).expect("it was there before");
    }

    /// Returns what a network of this quality is here.
    pub(crate) fn describe(&self, quality: Quality) -> String {
        let Quality { delay, loss } = quality;
        let delay =
            if self.has_netem { format!("{delay} ms") } else { "no delay (no netem here)".to_owned() };
        format!("{delay}, {loss} % loss")
    }

    /// Returns the namespace of a node.
    pub(crate) fn namespace(&self, which: usize) -> String {
        format!("{}-{which}", self.prefix)
    }

    /// Sets the quality of what a node sends.
    pub(crate) fn set(&self, which: usize, quality: Quality) {
        let (Quality { delay, loss }, port) = (quality, port(which));
        if self.has_netem {
            let netem = format!("tc qdisc replace dev eth0 root netem delay {delay}ms limit 100000");
            self.inside(which, &netem).expect("the kernel has netem");
        }
        self.in_hub(&format!("nft flush chain netdev lan {port}")).expect("there is the chain");
        let some = match loss {
            0 => return,
            100 => String::new(),
            _ => format!("numgen random mod 100 < {loss} "),
        };
        self.in_hub(&format!("nft add rule netdev lan {port} {some}drop")).expect("packets can be dropped");
    }

    /// Drops what a node sends.
    pub(crate) fn cut_one_way(&self, which: usize) {
        self.set(which, Quality { delay: 0, loss: 100 });
    }

    /// Drops what a node sends, and what is sent to it.
    pub(crate) fn cut(&self, which: usize) {
        self.in_hub(&format!("ip link set {} down", port(which))).expect("the link can be cut");
    }

    /// Ends all harm to a node.
    pub(crate) fn heal(&self, which: usize, quality: Quality) {
        self.set(which, quality);
        self.in_hub(&format!("ip link set {} up", port(which))).expect("the link can be repaired");
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }

    fn in_hub(&self, command: &str) -> Result<(), String> {
        ip(&format!("netns exec {} {command}", self.hub()))
    }

    fn inside(&self, which: usize, command: &str) -> Result<(), String> {
        ip(&format!("netns exec {} {command}", self.namespace(which)))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for namespace in (0..self.size).map(|which| self.namespace(which)).chain([self.hub()]) {
            drop(ip(&format!("netns delete {namespace}")));
        }
    }
}

/// Returns the address of a node.
pub(crate) fn address(which: usize) -> String {
    format!("10.77.0.{}", which + 1)
}

fn port(which: usize) -> String {
    format!("port{which}")
}

/// Runs iproute2.
fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`ip {arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("`ip {arguments}`: {error}")),
    }
}
