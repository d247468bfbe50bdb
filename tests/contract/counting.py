"""A guest that computes: it counts, so that everybody sees whether it went on, began anew, or was copied."""

import re

from kilonova.testing.guests import boot_sector


def counter_disk() -> bytes:
    """A disk that boots, writes `BOOT`, and counts: to the first serial port, in four digits of base 16 that are letters from
    A, and to its second sector; about 40 times a second.

    In assembler: cld; xor ax, ax; mov ds, ax; mov es, ax; mov ss, ax; mov sp, 0x7c00; xor bp, bp; mov si, text; mov cx, 5;
    mov dx, 0x3f8; rep outsb; again: mov bx, bp; mov cx, 4; mov dx, 0x3f8; digit: rol bx, 4; mov al, bl; and al, 15;
    add al, 'A'; out dx, al; loop digit; mov al, 10; out dx, al; mov [0x7e00], bp; mov ax, 0x301; mov cx, 2; mov dx, 0x80;
    mov bx, 0x7e00; int 0x13; mov ax, 0x8600; xor cx, cx; mov dx, 20000; int 0x15; inc bp; jmp again; text: ...
    """
    return boot_sector(
        bytes.fromhex(
            "fc31c08ed88ec08ed0bc007c31edbe4f7cb90500baf803f36e89ebb90400baf803c1c30488d8240f0441eee2f4b00aee"
            "892e007eb80103b90200ba8000bb007ecd13b8008631c9ba204ecd1545ebca"
        )
        + b"BOOT\n"
    )


def counts(console: str) -> list[int]:
    """The numbers that the guest said, but for one that was cut off."""
    words = re.findall(r"^[A-P]{4}$", console.rpartition("\n")[0], re.MULTILINE)
    return [sum((ord(letter) - ord("A")) << 4 * place for place, letter in enumerate(reversed(word))) for word in words]
