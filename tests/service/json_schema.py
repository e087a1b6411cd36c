"""As much of JSON Schema 2020-12 as service/openapi.json uses. A keyword that is not known here is an error:
what is written there is checked."""

import re

ANNOTATIONS = {'description', 'format', 'default'}
TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'null': type(None)}


class Mismatch(AssertionError):
    pass


def is_type(value, name):
    if name in ('integer', 'number'):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return not isinstance(value, bool) and (whole if name == 'integer' else isinstance(value, (int, float)))
    return isinstance(value, TYPES[name])


class Validator:
    def __init__(self, document):
        self._document = document

    def resolve(self, node):
        while '$ref' in node:
            found = self._document
            for step in node['$ref'].removeprefix('#/').split('/'):
                found = found[step]
            node = found
        return node

    def check(self, value, schema, where='$'):
        """Raises Mismatch, which says where."""
        for keyword, argument in schema.items():
            if keyword in ANNOTATIONS or keyword in ('properties', 'additionalProperties'):
                continue
            rule = getattr(self, '_' + keyword.lstrip('$'), None)
            if rule is None:
                raise KeyError(f'keyword {keyword} is not known')
            rule(value, argument, where)
        if isinstance(value, dict):
            self._fields(value, schema, where)

    def _fail(self, where, value, what):
        raise Mismatch(f'{where}: {str(value)[:200]!r} {what}')

    def _fields(self, value, schema, where):
        known = schema.get('properties', {})
        rest = schema.get('additionalProperties', True)
        for name, inner in value.items():
            if name in known:
                self.check(inner, known[name], f'{where}.{name}')
            elif rest is False:
                self._fail(f'{where}.{name}', inner, 'is not described')
            elif isinstance(rest, dict):
                self.check(inner, rest, f'{where}.{name}')

    def _ref(self, value, pointer, where):
        self.check(value, self.resolve({'$ref': pointer}), where)

    def _type(self, value, names, where):
        names = [names] if isinstance(names, str) else names
        if not any(is_type(value, name) for name in names):
            self._fail(where, value, f'is no {" or ".join(names)}')

    def _required(self, value, names, where):
        for name in names:
            if isinstance(value, dict) and name not in value:
                self._fail(where, value, f'has no {name}')

    def _items(self, value, schema, where):
        for i, inner in enumerate(value if isinstance(value, list) else []):
            self.check(inner, schema, f'{where}[{i}]')

    def _enum(self, value, known, where):
        if value not in known:
            self._fail(where, value, f'is none of {known}')

    def _const(self, value, only, where):
        if value != only:
            self._fail(where, value, f'is not {only!r}')

    def _pattern(self, value, pattern, where):
        if isinstance(value, str) and not re.search(pattern, value):
            self._fail(where, value, f'is not like {pattern}')

    def _minimum(self, value, least, where):
        if is_type(value, 'number') and value < least:
            self._fail(where, value, f'is less than {least}')

    def _maximum(self, value, most, where):
        if is_type(value, 'number') and value > most:
            self._fail(where, value, f'is more than {most}')

    def _minLength(self, value, least, where):  # noqa: N802
        if isinstance(value, str) and len(value) < least:
            self._fail(where, value, 'is too short')

    def _maxLength(self, value, most, where):  # noqa: N802
        if isinstance(value, str) and len(value) > most:
            self._fail(where, value, 'is too long')

    def _anyOf(self, value, schemas, where):  # noqa: N802
        reasons = []
        for schema in schemas:
            try:
                return self.check(value, schema, where)
            except Mismatch as reason:
                reasons.append(str(reason))
        self._fail(where, value, 'fits none: ' + '; '.join(reasons))
