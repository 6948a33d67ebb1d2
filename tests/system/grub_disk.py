# SPDX-License-Identifier: GPL-2.0-only
"""A small disk that starts by GRUB, by BIOS as well as by UEFI: one FAT32 partition behind an MBR, made without root's rights, from
Debian's GRUB images. The second half of the file reads text off a picture of the screen."""
import gzip
import pathlib
import struct
import subprocess

PARTITION = 2048  # first sector; the gap before it holds BIOS GRUB
MODULES = ("part_msdos fat normal configfile multiboot multiboot2 linux gzio echo test serial terminal all_video gfxterm search reboot "
           "halt").split()
FONT = pathlib.Path("/usr/share/consolefonts/Unifont-APL8x16.psf.gz")


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **options)


def make(path, config, files, megabytes=96):
    """files: {path on the disk: file or bytes}. config: what grub.cfg says."""
    size = megabytes << 20
    with open(path, "wb") as disk:
        disk.truncate(size)
        disk.write(pathlib.Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()[:440])
        disk.seek(446)
        disk.write(struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0c, b"\xfe\xff\xff", PARTITION, size // 512 - PARTITION))
        disk.seek(510)
        disk.write(b"\x55\xaa" + image(path, "i386-pc", "(hd0,msdos1)/boot/grub", "biosdisk"))
        if disk.tell() > PARTITION * 512:
            raise RuntimeError("GRUB does not fit before the partition")
    run("mkfs.fat", "-F", "32", "--offset", PARTITION, path, size // 1024 - PARTITION // 2)
    put(path, {"boot/grub/grub.cfg": config.encode(), "EFI/BOOT/BOOTX64.EFI": image(path, "x86_64-efi", "/boot/grub", "efi_gop"), **files})
    return path


def image(path, platform, prefix, *more):
    out = path.with_suffix(".grub")
    run("grub-mkimage", "-O", platform, "-o", out, "-p", prefix, *MODULES, *more)
    return out.read_bytes()


def put(path, files):
    """Writes (or writes over) files on such a disk."""
    partition = ("-i", f"{path}@@{PARTITION * 512}")
    for name, content in files.items():
        for parent in reversed(pathlib.PurePosixPath(name).parents[:-1]):
            subprocess.run(["mmd", *partition, f"::{parent}"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if isinstance(content, bytes):
            run("mcopy", *partition, "-o", "-", f"::{name}", input=content)
        else:
            run("mcopy", *partition, "-o", content, f"::{name}")


def glyphs():
    """The console font's glyph of each printable ASCII character, as 16 bytes: {glyph: character}."""
    data = gzip.decompress(FONT.read_bytes())
    if data[:2] != b"\x36\x04" or data[3] != 16:
        raise RuntimeError(f"{FONT} is not an 8x16 font of the older PSF format")
    return {data[4 + code * 16:20 + code * 16]: chr(code) for code in range(0x20, 0x7f)}


def read_text(screen):
    """The lines of text on a screen (as machine.screendump() gives it) of black cells, 8 by 16 each; `?` where no glyph fits."""
    width, height, rows = screen
    known = glyphs()
    bits = ["".join("1" if any(row[3 * x:3 * x + 3]) else "0" for x in range(width // 8 * 8)) for row in rows]
    lines = []
    for top in range(0, height // 16 * 16, 16):
        cells = (bytes(int(bits[top + row][x:x + 8], 2) for row in range(16)) for x in range(0, width // 8 * 8, 8))
        lines.append("".join(known.get(cell, "?") for cell in cells).rstrip())
    return lines
