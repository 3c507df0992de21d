/* e to the x, -80 to 80, to 1e-7 of it: 2 to a whole number times a polynomial on half a logarithm of 2 either way (the
   coefficients of Cephes' expf, S. Moshier). */
static float ek_exp(float x)
{
    const int whole = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float r = (x - (float)whole * 0.693359375f) + (float)whole * 2.12194440e-4f;
    const uint32_t bits = (uint32_t)(whole + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return power * (((((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r +
                       1.6666665459e-1f) * r + 5.0000001201e-1f) * r * r + r) + 1.0f);
}

/* Whether the answer is as strong as the file's rule asks for: @about@. */
static int ek_strong(const float *logits)
{
    const float best = logits[@name@_largest(logits)];
    float sum = 0.0f;
    size_t i;
    for (i = 0; i < @NAME@_CLASSES; i++)
        sum += logits[i] - best > -80.0f ? ek_exp(logits[i] - best) : 0.0f;
    return @test@;
}
