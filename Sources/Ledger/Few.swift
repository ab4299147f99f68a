/// A list that nearly always has one element or none, which then needs no memory of its own: most steps draw on one grant and
/// make one entry.
package struct Few<Element> {
    fileprivate enum Content {
        case none
        case one(Element)
        /// Any number of them: how a list came about makes no difference to anybody.
        case many([Element])
    }

    private var content: Content

    package init() {
        content = .none
    }

    package init(_ element: Element) {
        content = .one(element)
    }

    package init(_ elements: [Element]) {
        switch elements.count {
        case 0: content = .none
        case 1: content = .one(elements[0])
        default: content = .many(elements)
        }
    }

    package init(_ elements: some Sequence<Element>) {
        self.init()
        for element in elements { append(element) }
    }

    package mutating func append(_ element: Element) {
        switch content {
        case .none:
            content = .one(element)
        case .one(let first):
            content = .many([first, element])
        case .many(var elements):
            // Nobody else holds them while they grow.
            content = .none
            elements.append(element)
            content = .many(elements)
        }
    }
}

extension Few {
    package func forEach<Failure: Error>(_ body: (Element) throws(Failure) -> Void) throws(Failure) {
        switch content {
        case .none: break
        case .one(let element): try body(element)
        case .many(let elements): for element in elements { try body(element) }
        }
    }
}

/// What the engine asks of every decision. Of a type that is not public another module sees no code, and what is generic it
/// would ask for by way of the type's metadata.
extension Few<Entry> {
    package var count: Int { endIndex }
    package var isEmpty: Bool { endIndex == 0 }
}

extension Few: RandomAccessCollection, MutableCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int {
        switch content {
        case .none: 0
        case .one: 1
        case .many(let elements): elements.count
        }
    }

    package subscript(position: Int) -> Element {
        get {
            switch content {
            case .one(let element) where position == 0: return element
            case .many(let elements): return elements[position]
            case .none, .one: preconditionFailure("a place beyond the end")
            }
        }
        set {
            switch content {
            case .one where position == 0:
                content = .one(newValue)
            case .many(var elements):
                content = .none
                elements[position] = newValue
                content = .many(elements)
            case .none, .one:
                preconditionFailure("a place beyond the end")
            }
        }
    }
}

extension Few: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: Element...) {
        self.init(elements)
    }
}

extension Few: Sendable where Element: Sendable {}
extension Few.Content: Sendable where Element: Sendable {}

extension Few: Equatable where Element: Equatable {
    package static func == (a: Self, b: Self) -> Bool { a.elementsEqual(b) }
    package static func == (a: [Element], b: Self) -> Bool { a.elementsEqual(b) }
    package static func == (a: Self, b: [Element]) -> Bool { a.elementsEqual(b) }
}

extension Few: CustomStringConvertible {
    package var description: String { Array(self).description }
}
