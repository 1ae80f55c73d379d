"""Draw a seven as a paint program saves one, black on white, and its negative: paint.png and seven.png."""

from PIL import Image, ImageDraw, ImageOps

page = Image.new("RGB", (200, 200), "white")
ImageDraw.Draw(page).line([(60, 55), (140, 55), (95, 150)], fill="black", width=16, joint="curve")
page.save("paint.png")
ImageOps.invert(page).save("seven.png")
