internal import CheckpointIO

extension JSONValue {
    /// Makes an object of members in this order.
    static func object(_ members: [(Name, JSONValue)]) -> JSONValue {
        .object(JSONObject(members))
    }

    /// Makes a number; null for nil and for what is not finite, which JSON does not have.
    static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .double(value)
    }
}
