/// Shapes of one picture, in a coordinate system of `width` x `height` units with y downwards.
///
/// Colours are classes of the page's style sheet (`series-0` … `series-7`, `ink`, `muted`, `grid`),
/// so that the picture follows a light or a dark page.
struct SVGDrawing: Sendable {
    /// Units across.
    let width: Double
    /// Units down.
    let height: Double
    private(set) var elements: [String] = []

    /// Makes an empty picture.
    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// Which end of a text is at its position.
    enum Anchor: String { case start, middle, end }

    /// Draws a straight line.
    mutating func line(from: (x: Double, y: Double), to: (x: Double, y: Double), _ style: String) {
        elements.append(
            "<line class=\"\(style)\" x1=\"\(n(from.x))\" y1=\"\(n(from.y))\" "
                + "x2=\"\(n(to.x))\" y2=\"\(n(to.y))\"/>"
        )
    }

    /// Draws lines from point to point.
    mutating func polyline(_ points: [(x: Double, y: Double)], _ style: String) {
        guard points.count > 1 else { return }
        let list = points.map { "\(n($0.x)),\(n($0.y))" }.joined(separator: " ")
        elements.append("<polyline class=\"\(style)\" points=\"\(list)\"/>")
    }

    /// Draws a rectangle; `tip` shows when the mouse rests on it.
    mutating func rectangle(
        x: Double,
        y: Double,
        width: Double,
        height: Double,
        _ style: String,
        tip: String? = nil
    ) {
        let shape =
            "<rect class=\"\(style)\" x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(width))\" "
            + "height=\"\(n(height))\""
        elements.append(
            tip.map { "\(shape)><title>\(HTMLText.escaped($0))</title></rect>" } ?? "\(shape)/>"
        )
    }

    /// The class of a series: the ninth series begins the colours anew, one further.
    static func seriesClass(_ index: Int) -> String { "series-\((index + index / 8) % 8)" }

    /// Draws one of sixteen distinct marks around a point, eight full and eight open ones: colour is
    /// never the only difference.
    mutating func mark(_ index: Int, at point: (x: Double, y: Double), tip: String? = nil) {
        let (x, y) = point
        let shape: String
        switch index % 8 {
        case 0: shape = "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"3.6\""
        case 1: shape = polygon([(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)], x, y)
        case 2: shape = polygon([(0, -4.4), (4.2, 3), (-4.2, 3)], x, y)
        case 3: shape = polygon([(0, -4.6), (4.6, 0), (0, 4.6), (-4.6, 0)], x, y)
        case 4: shape = polygon([(0, 4.4), (4.2, -3), (-4.2, -3)], x, y)
        case 5:
            shape = polygon(
                [
                    (-1.4, -4.4), (1.4, -4.4), (1.4, -1.4), (4.4, -1.4), (4.4, 1.4), (1.4, 1.4),
                    (1.4, 4.4), (-1.4, 4.4), (-1.4, 1.4), (-4.4, 1.4), (-4.4, -1.4), (-1.4, -1.4),
                ],
                x,
                y
            )
        case 6: shape = polygon([(-4.6, -2), (4.6, -2), (4.6, 2), (-4.6, 2)], x, y)
        default: shape = polygon([(-2, -4.6), (2, -4.6), (2, 4.6), (-2, 4.6)], x, y)
        }
        let kind = index / 8 % 2 == 0 ? "mark" : "mark open"
        let element = "\(shape) class=\"\(kind) \(SVGDrawing.seriesClass(index))\""
        let tail = tip.map { "><title>\(HTMLText.escaped($0))</title></\(tag(of: shape))>" }
        elements.append(element + (tail ?? "/>"))
    }

    /// Writes text with its base line at `y`.
    mutating func text(
        _ text: String,
        x: Double,
        y: Double,
        _ style: String = "label",
        anchor: Anchor = .start,
        isTurned: Bool = false
    ) {
        let turn = isTurned ? " transform=\"rotate(-90 \(n(x)) \(n(y)))\"" : ""
        elements.append(
            "<text class=\"\(style)\" x=\"\(n(x))\" y=\"\(n(y))\" "
                + "text-anchor=\"\(anchor.rawValue)\"\(turn)>\(HTMLText.escaped(text))</text>"
        )
    }

    /// Returns the element, with a title and an explanation for screen readers; the identifier
    /// distinguishes it from others on the page.
    func svg(identifier: String, title: String, explanation: String) -> String {
        """
        <svg viewBox="0 0 \(n(width)) \(n(height))" role="img" \
        aria-labelledby="\(identifier)-title \(identifier)-desc" \
        xmlns="http://www.w3.org/2000/svg">
        <title id="\(identifier)-title">\(HTMLText.escaped(title))</title>
        <desc id="\(identifier)-desc">\(HTMLText.escaped(explanation))</desc>
        \(elements.joined(separator: "\n"))
        </svg>
        """
    }

    private func polygon(_ corners: [(Double, Double)], _ x: Double, _ y: Double) -> String {
        let list = corners.map { "\(n(x + $0.0)),\(n(y + $0.1))" }.joined(separator: " ")
        return "<polygon points=\"\(list)\""
    }

    private func tag(of shape: String) -> String {
        shape.hasPrefix("<circle") ? "circle" : "polygon"
    }

    /// A coordinate with two digits behind the point at most.
    private func n(_ value: Double) -> String {
        var text = Quantity.decimal(value, 2)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }
}
