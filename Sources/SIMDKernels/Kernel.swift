internal import CSIMDKernels

/// What a variant of a kernel family is called and what it needs.
package struct KernelVariant: Hashable, Sendable, CustomStringConvertible {
    /// Unique in the family: the instruction set, with a suffix if the family has several for it.
    package let name: String
    /// The name of `KernelSelection` it belongs to.
    package let instructionSet: String
    /// The features the host must have.
    package let requiredFeatures: HostFeatures
    /// Whether it gives the same bits as all other variants of the family; if not, they agree within
    /// the bound of their sums.
    package let isExact: Bool

    package var description: String { name }
}

/// One variant of a C function.
package protocol KernelEntry: Sendable, CustomStringConvertible {
    /// This variant's name and needs.
    var variant: KernelVariant { get }
}

extension KernelEntry {
    package var name: String { variant.name }
    package var description: String { variant.name }
}

/// One variant of a family of C functions that compute the same with different instructions: the same
/// bits where the variant `isExact`, else sums within their bound.
///
/// A family is a struct that holds a variant and its function, reads its list from C, and wraps the
/// function in a call that checks all sizes. Calls run on the calling thread, allocate nothing, and
/// may run at the same time on any number of threads.
package protocol Kernel: KernelEntry {
    /// All variants compiled for this architecture, the one measured fastest first, generic last.
    static var compiled: [Self] { get }
    /// The variant in use: the fastest this host can run, or the fastest of the set that the
    /// environment forces.
    static var selected: Self { get }
}

extension Kernel {
    /// The variants this host can run, best first, generic last.
    package static var supported: [Self] { compiled.supported }

    /// Returns the supported variant of exactly this name; nil if there is none.
    package static func named(_ name: String) -> Self? {
        supported.first { $0.variant.name == name }
    }

    /// Returns the fastest supported variant of an instruction set; nil if there is none.
    package static func fastest(of instructionSet: String) -> Self? {
        compiled.fastest(of: instructionSet)
    }

    /// Returns what `selected` is to be; see `preferred` of a list.
    static func preferred(forced: String? = KernelSelection.forcedName) -> Self {
        compiled.preferred(forced: forced)
    }
}

/// Variants of one function, the one measured fastest first, generic last.
extension Array where Element: KernelEntry {
    /// The variants this host can run.
    package var supported: Self {
        filter { HostFeatures.host.isSuperset(of: $0.variant.requiredFeatures) }
    }

    /// Returns the fastest supported variant of an instruction set; nil if there is none.
    package func fastest(of instructionSet: String) -> Element? {
        supported.first { $0.variant.instructionSet == instructionSet }
    }

    /// Returns the variant to use.
    ///
    /// A list without a variant for the forced set gives its fastest that needs nothing beyond it.
    /// - Parameter forced: the set that counts alone; nil for any.
    /// - Returns: the variant; a host runs at least the generic one.
    func preferred(forced: String? = KernelSelection.forcedName) -> Element {
        let kernel =
            forced.map { set in
                let allowed = HostFeatures.base(of: set)
                return fastest(of: set)
                    ?? supported.first { allowed.isSuperset(of: $0.variant.requiredFeatures) }
            } ?? supported.first
        guard let kernel else {
            preconditionFailure("\(Element.self) has no variant for \(forced ?? "this host")")
        }
        return kernel
    }
}

extension KernelVariant {
    init(_ variant: qk_variant) {
        unsafe self.init(
            name: String(cString: variant.name),
            instructionSet: String(cString: variant.instruction_set),
            requiredFeatures: HostFeatures(rawValue: variant.features),
            isExact: variant.is_exact != 0
        )
    }
}

/// Returns the entries of a family's C table, as the accessor gives it, turned into Swift values.
func compiledEntries<Entry, Value>(
    _ entries: (UnsafeMutablePointer<Int>) -> UnsafePointer<Entry>?,
    _ make: (Entry) -> Value
) -> [Value] {
    var count = 0
    let table = unsafe UnsafeBufferPointer(start: entries(&count), count: count)
    return unsafe table.map(make)
}
