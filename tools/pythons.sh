#!/bin/sh
# pythons.sh VERSION...: a line for each, with its interpreter from the PATH or pyenv, or "-" where there is none.
for version; do
    found=-
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        if "$candidate" -c "" 2>/dev/null; then
            found=$candidate
            break
        fi
    done
    echo "$version $found"
done
