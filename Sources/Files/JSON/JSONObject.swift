/// The members of a JSON object, in order, found by the bytes of their keys.
public struct JSONObject: Sendable {
    /// A key and its value.
    public struct Member: Sendable {
        /// The key, unescaped.
        public let key: Name
        /// The value.
        public var value: JSONValue
        /// The key's first byte in the file; nil for a member that was not read from one.
        public let keyOffset: UInt64?
        /// The value's first byte in the file; nil for a member that was not read from one.
        public let valueOffset: UInt64?
    }

    /// The members in the order of the text.
    public private(set) var members: [Member] = []
    private var positions: [Name: Int] = [:]
    /// The key path that led here, for errors; empty at the root.
    package var path = ""

    /// Makes an empty object.
    public init() {}

    /// Makes an object of members in this order.
    /// - Precondition: no key occurs twice.
    public init(_ members: [(Name, JSONValue)]) {
        for (key, value) in members {
            let isNew = append(
                Member(key: key, value: value, keyOffset: nil, valueOffset: nil)
            )
            precondition(isNew, "key \(key) occurs twice")
        }
    }

    /// The value of a key.
    ///
    /// Setting replaces in place, appends a new key, or removes with nil.
    public subscript(key: Name) -> JSONValue? {
        get { positions[key].map { members[$0].value } }
        set {
            switch (positions[key], newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil):
                members.remove(at: position)
                positions = [:]
                for (index, member) in members.enumerated() { positions[member.key] = index }
            case (nil, let value?):
                append(Member(key: key, value: value, keyOffset: nil, valueOffset: nil))
            case (nil, nil): break
            }
        }
    }

    /// The member with a key, with its places in the file.
    public func member(_ key: Name) -> Member? {
        positions[key].map { members[$0] }
    }

    /// Appends a member, unless its key is there already; returns whether it did.
    @discardableResult
    package mutating func append(_ member: Member) -> Bool {
        if let position = positions.updateValue(members.count, forKey: member.key) {
            positions[member.key] = position
            return false
        }
        members.append(member)
        return true
    }
}

extension JSONObject: Equatable {
    /// Compares keys and values in order, not their places.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.elementsEqual(right.members) { $0.key == $1.key && $0.value == $1.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Makes an object of a literal, in its order.
    public init(dictionaryLiteral elements: (Name, JSONValue)...) {
        self.init(elements)
    }
}
